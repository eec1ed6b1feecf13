//! MongoDB replica set: observed topology, planned steps, and the driver that carries them out.
