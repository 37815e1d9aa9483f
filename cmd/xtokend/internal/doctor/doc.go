// Package doctor looks at a whole installation as it is: the server behind each
// domain, the component link, the ports and certificates that clients meet, the
// names in the DNS, and a login with a token. What it finds it says in words, with
// what to do.
//
// It is safe beside users: each question has a deadline, the whole examination has
// one too, and of what it makes, a trial account of a random name, nothing is left
// behind. It uses no user's token, and no finding holds a token or a secret.
package doctor
