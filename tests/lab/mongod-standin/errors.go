// Error replies with mongod's codes and code names.
package main

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type code int32

const (
	badValue              code = 2
	userNotFound          code = 11
	unauthorized          code = 13
	authenticationFailed  code = 18
	illegalOperation      code = 20
	alreadyInitialized    code = 23
	roleNotFound          code = 31
	commandNotFound       code = 59
	writeConcernFailed    code = 64
	invalidOptions        code = 72
	nodeNotFound          code = 74
	invalidConfig         code = 93
	notYetInitialized     code = 94
	indexOptionsConflict  code = 85
	indexKeySpecsConflict code = 86
	unsatisfiableConcern  code = 100
	incompatibleConfig    code = 103
	configInProgress      code = 109
	primarySteppedDown    code = 189
	transactionTooOld     code = 225
	exceededTimeLimit     code = 262
	noTransactions        code = 263
	configNotCommitted    code = 308
	notWritablePrimary    code = 10107
	duplicateKey          code = 11000
	interruptedByState    code = 11602
	notPrimaryNoSecondary code = 13435
	notPrimaryOrSecondary code = 13436
	userExists            code = 51003
)

var codeNames = map[code]string{
	badValue: "BadValue", userNotFound: "UserNotFound", unauthorized: "Unauthorized",
	authenticationFailed: "AuthenticationFailed", illegalOperation: "IllegalOperation",
	alreadyInitialized: "AlreadyInitialized", roleNotFound: "RoleNotFound",
	commandNotFound: "CommandNotFound", writeConcernFailed: "WriteConcernFailed",
	invalidOptions: "InvalidOptions", nodeNotFound: "NodeNotFound",
	invalidConfig: "InvalidReplicaSetConfig", notYetInitialized: "NotYetInitialized",
	indexOptionsConflict: "IndexOptionsConflict", indexKeySpecsConflict: "IndexKeySpecsConflict", duplicateKey: "DuplicateKey",
	unsatisfiableConcern: "UnsatisfiableWriteConcern",
	incompatibleConfig:   "NewReplicaSetConfigurationIncompatible",
	configInProgress:     "ConfigurationInProgress", primarySteppedDown: "PrimarySteppedDown",
	transactionTooOld: "TransactionTooOld", exceededTimeLimit: "ExceededTimeLimit",
	noTransactions:     "OperationNotSupportedInTransaction",
	configNotCommitted: "CurrentConfigNotCommittedYet", notWritablePrimary: "NotWritablePrimary",
	interruptedByState: "InterruptedDueToReplStateChange", notPrimaryNoSecondary: "NotPrimaryNoSecondaryOk",
	notPrimaryOrSecondary: "NotPrimaryOrSecondary", userExists: "Location51003",
}

// retryable are the codes that drivers may answer with one retried write.
var retryable = map[code]bool{
	primarySteppedDown: true, notWritablePrimary: true, interruptedByState: true,
	notPrimaryNoSecondary: true, notPrimaryOrSecondary: true,
}

type commandError struct {
	code code
	msg  string
}

func (e *commandError) Error() string { return e.msg }

func fail(c code, format string, args ...any) *commandError {
	return &commandError{c, fmt.Sprintf(format, args...)}
}

// errorReply is the document a client gets for err; writes that carry a
// transaction number are told when retrying them is safe.
func errorReply(err error, retryableWrite bool) bson.D {
	ce, ok := err.(*commandError)
	if !ok {
		ce = fail(badValue, "%v", err)
	}
	doc := bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: ce.msg}, {Key: "code", Value: int32(ce.code)}, {Key: "codeName", Value: codeNames[ce.code]}}
	if retryableWrite && retryable[ce.code] {
		doc = append(doc, bson.E{Key: "errorLabels", Value: bson.A{"RetryableWriteError"}})
	}
	return doc
}

// ok is a success reply with the given fields.
func ok(fields ...bson.E) (any, error) {
	return append(bson.D(fields), bson.E{Key: "ok", Value: 1.0}), nil
}
