// Package web lets browsers in: WebSocket (RFC 7395) and BOSH (XEP-0124,
// XEP-0206) over HTTP, each turned into plain stream form and handed to the
// front, and what a page needs beside them: the addresses of both (XEP-0156)
// and the mechanism X-TOKEN as a script.
package web
