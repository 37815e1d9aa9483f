package bosh

import "slices"

// maxKept is how many responses are kept at most: for a client that says which of
// them it has received, and does not say so, or that does nothing but pause.
const maxKept = 16

// cache keeps the responses that a client may still ask for again (XEP-0124
// §14.3), by rid.
type cache struct {
	answered []*exchange
	bytes    int // of payload
}

func (c *cache) add(x *exchange) {
	c.answered = append(c.answered, x)
	c.bytes += payloadBytes(x)
}

func (c *cache) find(rid uint64) *exchange {
	return first(c.answered, func(x *exchange) bool { return x.RID == rid })
}

// lose marks the response that was given to h alone as lost.
func (c *cache) lose(h Handle) {
	if x := first(c.answered, func(x *exchange) bool { return x.handle == h && !x.fixed }); x != nil {
		x.lost = true
	}
}

// newestFilled is the newest response with payload, nil if none has any.
func (c *cache) newestFilled() *exchange {
	for _, x := range slices.Backward(c.answered) {
		if len(x.reply.Payload) > 0 {
			return x
		}
	}
	return nil
}

// dropThrough drops what the client has acknowledged.
func (c *cache) dropThrough(rid uint64) {
	n := 0
	for n < len(c.answered) && c.answered[n].RID <= rid {
		n++
	}
	c.dropOldest(n)
}

// trim keeps as many responses as there can be requests under way, those to
// pauses not counted, and with acknowledgements as many more as fit in bytes.
func (c *cache) trim(requests int, acks bool, bytes int) {
	counted, size := 0, 0
	for i, x := range slices.Backward(c.answered) {
		size += payloadBytes(x)
		if len(c.answered)-i > maxKept || counted >= requests && (!acks || size > bytes) {
			c.dropOldest(i + 1)
			return
		}
		if x.Pause == 0 {
			counted++
		}
	}
}

func (c *cache) dropOldest(n int) {
	for _, x := range c.answered[:n] {
		c.bytes -= payloadBytes(x)
	}
	c.answered = slices.Delete(c.answered, 0, n)
}

func payloadBytes(x *exchange) int { return size(x.reply.Payload) }
