package credentials

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
)

// Token makes or reads a random token kept in the named file.
func (f Folder) Token(name string) (string, error) {
	if content, err := os.ReadFile(f.Path(name)); err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	random := make([]byte, 24)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	token := hex.EncodeToString(random)
	return token, f.write(name, []byte(token+"\n"))
}

// WriteFile writes a private file into the folder.
func (f Folder) WriteFile(name, content string) error { return f.write(name, []byte(content)) }

// Kubeconfig is a kubeconfig, in JSON (which is YAML), for the server. The
// user entry holds what authenticates: see TokenUser and CertificateUser.
func (f Folder) Kubeconfig(server, context string, user map[string]any) ([]byte, error) {
	authority, err := os.ReadFile(f.Path("ca.crt"))
	if err != nil {
		return nil, err
	}
	config := map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": context,
		"clusters": []any{map[string]any{"name": context, "cluster": map[string]any{
			"server": server, "certificate-authority-data": authority,
		}}},
		"users": []any{map[string]any{"name": context, "user": user}},
		"contexts": []any{map[string]any{"name": context, "context": map[string]any{
			"cluster": context, "user": context,
		}}},
	}
	return json.MarshalIndent(config, "", "  ")
}

// TokenUser authenticates by bearer token.
func TokenUser(token string) map[string]any { return map[string]any{"token": token} }

// CertificateUser authenticates by NAME.crt and NAME.key of the folder.
func (f Folder) CertificateUser(name string) (map[string]any, error) {
	certificate, err := os.ReadFile(f.Path(name + ".crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(f.Path(name + ".key"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"client-certificate-data": certificate, "client-key-data": key}, nil
}
