// The browser's sessionStorage, which outlives a page.
export const storage = {};

globalThis.sessionStorage = {
  getItem: (key) => storage[key] ?? null,
  setItem: (key, value) => {
    storage[key] = String(value);
  },
  removeItem: (key) => {
    delete storage[key];
  },
};

export function loadStorage(kept) {
  Object.assign(storage, kept);
}
