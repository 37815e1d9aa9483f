// The part of XMLHttpRequest that Strophe's BOSH uses, which Node does not have,
// by fetch, which it has.
export default class XMLHttpRequest {
  readyState = 0;
  status = 0;
  responseText = "";
  responseXML = null;
  onreadystatechange = () => {};
  #aborter = new AbortController();
  #request = {};
  #url;

  open(method, url) {
    this.#url = url;
    this.#request = { method, headers: {}, signal: this.#aborter.signal };
    this.#become(1);
  }

  getAllResponseHeaders() {
    return "";
  }

  setRequestHeader(name, value) {
    this.#request.headers[name] = value;
  }

  async send(body) {
    try {
      const response = await fetch(this.#url, { ...this.#request, body });
      const text = await response.text();
      this.status = response.status;
      this.responseText = text;
      if (text !== "") {
        this.responseXML = new DOMParser().parseFromString(text, "text/xml");
      }
    } catch {
      // No answer leaves the status at 0.
    }
    if (!this.#aborter.signal.aborted) this.#become(4);
  }

  abort() {
    this.#aborter.abort();
    this.#become(4);
    this.readyState = 0;
  }

  #become(state) {
    this.readyState = state;
    this.onreadystatechange();
  }
}
