"""Push by OTLP: encoding of points and logs, resources, requests, and the client of the receiver."""
