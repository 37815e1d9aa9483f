package auth

// Nodeprep lets the tests judge names by it.
var Nodeprep = nodeprep
