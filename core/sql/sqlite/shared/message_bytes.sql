-- What a message counts towards the size of a page: its text in JSON, and 1 KiB for the rest.
-- `page_size` in core computes the same.
1024 + octet_length(json_quote(content))
