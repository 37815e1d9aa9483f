package xmlsplit

// BufferBytes is how much memory r holds for input.
func BufferBytes(r *Reader) int { return cap(r.buf) }
