// Package conformance holds what the operator relies on in a replica-set
// member, as tests that run unchanged against the stand-in and against any
// mongod from 4.4 on, given by $MONGOD.
package conformance
