in_a_file = true
VirtualHost "included.example"
	enabled = false
