package sasl

import (
	"encoding/base64"
	"errors"
	"strings"
)

// ErrIncorrectEncoding: the data is not base64. Answer it with
// [IncorrectEncoding].
var ErrIncorrectEncoding = errors.New("sasl: the data is not base64 (RFC 4648 §4)")

// DecodeBase64 decodes the text of a SASL element as RFC 6120 §6.4.2 demands:
// base64 of RFC 4648 §4, padded, canonical, without any other character; a lone
// "=" stands for data that is present and empty. Empty text is empty data too:
// where that means an absent initial response, look before decoding. The result
// is never nil without an error, and the error is [ErrIncorrectEncoding].
func DecodeBase64(text string) ([]byte, error) {
	if text == "=" {
		return []byte{}, nil
	}
	// Go's decoder passes over line breaks; RFC 4648 §3.3 does not.
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrIncorrectEncoding
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrIncorrectEncoding
	}
	return data, nil
}
