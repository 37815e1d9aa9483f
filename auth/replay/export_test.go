package replay

// OpenRewriting is OpenFile with a log that is rewritten from that size on.
func OpenRewriting(path string, o FileOptions, from int64) (*File, error) {
	f := newFile(path, o)
	f.rewriteFrom = from
	if err := f.open(o); err != nil {
		return nil, err
	}
	go f.commitLoop()
	return f, nil
}
