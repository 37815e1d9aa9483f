package component

// Drain stops accepting, for good: the listeners given to Serve are closed, and
// what ServeStream is given is closed too. Sessions go on until they end by
// themselves. A second call does nothing.
func (f *Front) Drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining.Store(true)
	for l := range f.listeners {
		l.Close()
	}
}

// Draining says whether Drain was called.
func (f *Front) Draining() bool { return f.draining.Load() }

// closed says whether no more sessions may begin.
func (f *Front) closed() bool { return f.ctx.Err() != nil || f.draining.Load() }
