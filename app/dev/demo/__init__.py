"""`make demo`: a provider's two months in about two minutes, on real Kafka, with the promise checked at the end."""
