"""Sample backend: a FastAPI service on MongoDB and a Redis Cluster."""
