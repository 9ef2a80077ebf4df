#!/bin/sh
# Make the secrets that docker-compose.yml hands to the containers as files: once, at random.
# Those that are there already stay as they are. As root it gives them to the portal's user.
set -eu
umask 077
cd "$(dirname "$0")/secrets"

make() {
  [ -s "$1" ] || {
    printf '%s' "$2" >"$1.new"
    mv "$1.new" "$1"
    echo "made $1"
  }
}

make secret_key "$(openssl rand -base64 60 | tr -d '\n')"
make link_keys "k1:$(openssl rand -hex 32)"
make postgres_password "$(openssl rand -hex 24)"
make s3_secret_key "$(openssl rand -hex 24)"

if [ "$(id -u)" -eq 0 ]; then
  chown 10001:10001 secret_key link_keys postgres_password s3_secret_key
else
  echo "Give them to the portal's user before the start: sudo chown 10001 deploy/secrets/*" >&2
fi
