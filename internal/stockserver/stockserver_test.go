package stockserver

import "testing"

// A kernel that has 28,000 ports to pick from picks one twice in so many.
func TestNoTwoFreeAddressesAreAlike(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		var address string
		if err := FreeAddresses("127.0.0.1", &address); err != nil {
			t.Fatal(err)
		}
		if seen[address] {
			t.Fatalf("%s is set twice", address)
		}
		seen[address] = true
	}
}
