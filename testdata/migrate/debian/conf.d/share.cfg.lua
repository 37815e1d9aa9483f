Component "share.example.org" "http_file_share" {
	http_file_share_size_limit = 10 * 1024 * 1024;
}
