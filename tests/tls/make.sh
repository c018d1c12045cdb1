#!/usr/bin/env bash
# The certificates of the tests: an authority, a server it vouches for (localhost, 127.0.0.1), one more server, a client, and a stranger.
# They are worth nothing anywhere else and last a hundred years: `tests/tls/make.sh` makes new ones.
set -euo pipefail
cd "$(dirname "$0")"
key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1-key.pem"; }
authority() {
  key "$1"
  openssl req -x509 -new -key "$1-key.pem" -days 36500 -subj "/CN=$1" -out "$1.pem" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
}
signed() { # name, authority, extensions
  key "$1"
  openssl req -new -key "$1-key.pem" -subj "/CN=$1" |
    openssl x509 -req -CA "$2.pem" -CAkey "$2-key.pem" -CAcreateserial -days 36500 -out "$1.pem" -extfile <(printf '%s' "$3") 2>/dev/null
}
authority authority
authority stranger
names="subjectAltName=DNS:localhost,IP:127.0.0.1"
signed server authority "$names"
signed other authority "$names"
signed client authority "extendedKeyUsage=clientAuth"
signed nobody stranger "extendedKeyUsage=clientAuth"
rm -f ./*.srl authority-key.pem stranger-key.pem
