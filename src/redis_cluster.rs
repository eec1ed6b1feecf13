//! Redis Cluster: observed topology, planned steps, and the client that carries them out.
