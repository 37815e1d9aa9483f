package demo

import "net/http"

// guard refuses requests that pages of others have browsers make without saying
// whose: links, pictures, scripts, frames. They have no Origin header, and by
// Sec-Fetch-Site (Fetch Metadata Request Headers §2.3) a browser tells them from
// those of our own pages ("same-origin") and of a person ("none"). "same-site" is
// another port of this machine. An Origin that comes this far is an allowed one.
func guard(site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Add("Vary", "Sec-Fetch-Site")
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "none", "same-origin":
		default:
			if r.Header.Get("Origin") == "" && r.URL.Path != "/" {
				http.Error(w, "pages of others may not send anybody here: open the first page, and go on from there", http.StatusForbidden)
				return
			}
		}
		site.ServeHTTP(w, r)
	})
}
