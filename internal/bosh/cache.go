package bosh

import "slices"

// maxUnacknowledged is how many responses are kept for a client that says which
// of them it has received, and does not say so.
const maxUnacknowledged = 16

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

func (c *cache) newest() *exchange {
	if len(c.answered) == 0 {
		return nil
	}
	return c.answered[len(c.answered)-1]
}

// lost says whether the response to x, given to h alone, can be taken back.
func (x *exchange) lost(h Handle) bool {
	return x.handle == h && len(x.reply.Payload) > 0 && !x.fixed
}

// remove takes out the newest.
func (c *cache) remove(x *exchange) {
	c.answered = c.answered[:len(c.answered)-1]
	c.bytes -= payloadBytes(x)
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
		if counted >= requests && (!acks || counted >= maxUnacknowledged || size > bytes) {
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
