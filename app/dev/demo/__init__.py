"""`make demo`: a provider's two months in about a minute, on real Kafka, with the promise checked at the end."""
