#!/bin/sh
# Runs the backend's tests against a real Redis Cluster on loopback, and against
# MongoDB when MONGODB_URI_TEST is set. Arguments go to pytest. The virtual
# environment is kept and rebuilt only when the requirements change.
#
#   ./run-tests.sh                 everything
#   ./run-tests.sh -k sessions     some
#   PYTHON=python3.13 ./run-tests.sh
#   MONGODB_URI_TEST='mongodb://user:password@127.0.0.1:27017/?replicaSet=rs0' ./run-tests.sh
set -eu
cd "$(dirname "$0")"

python=${PYTHON:-python3}
version=$("$python" -c 'import sys
assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed; set PYTHON"
print("{}.{}".format(*sys.version_info))')
key=$(cat requirements.txt requirements-test.txt | sha256sum | cut -c1-16)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/eaiser-backend-venv/$version-$key

if ! command -v redis-server >/dev/null || ! command -v redis-cli >/dev/null; then
    echo "installing redis-server" >&2
    # Only the programs are wanted: no service may start on the default port.
    RUNLEVEL=1 apt-get install -qq -y redis-server >/dev/null || {
        echo "redis-server is needed and could not be installed; install it and run again" >&2
        exit 2
    }
fi
if [ ! -e "$venv/complete" ]; then
    echo "preparing $venv" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        -r requirements-test.txt
    touch "$venv/complete"
fi
exec "$venv/bin/python" -m pytest "$@"
