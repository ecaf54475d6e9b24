"""Identity of a request and its rights: front proxy, client certificates, tokens, and the questions to the API server about them."""
