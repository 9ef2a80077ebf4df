#!/bin/sh
# Generate the secret files that docker-compose.yml mounts into the containers.
# Existing files stay as they are. Run by root, it makes the portal's user their owner.
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
make encryption_keys "k1:$(openssl rand -hex 32)"
make postgres_password "$(openssl rand -hex 24)"
make s3_secret_key "$(openssl rand -hex 24)"
make broker_password "$(openssl rand -hex 24)"
make cache_password "$(openssl rand -hex 24)"

# The rights of each Redis user: Celery's commands on its queue, and the portal's on its cache,
# limits and tallies. Anyone may PING. The file contains only hashes of the passwords.
hash() { openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1; }
queue='~celery* ~_kombu.binding* ~unacked* ~*.celery.pidbox* &/0.celery.pidbox &/0.celeryev*'
make redis_acl "user default reset on nopass +ping
user broker reset on #$(hash broker_password) $queue +ping +hello +client|setinfo +select \
+lpush +rpush +rpop +brpop +llen +exists +set +get +del +pexpire +sadd +srem +smembers \
+hset +hget +hdel +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore +time \
+evalsha +script|load +script|exists +multi +exec +discard +watch +unwatch \
+publish +subscribe +unsubscribe +psubscribe +punsubscribe
user cache reset on #$(hash cache_password) ~cache:* ~rate:* ~tally:* +ping +hello \
+client|setinfo +select +getrange +get +set +mset +del +exists +expire +persist +incrby \
+hincrby +hgetall +multi +exec +discard +time +evalsha +script|load +script|exists
"

if [ "$(id -u)" -eq 0 ]; then
  chown 10001:10001 secret_key link_keys encryption_keys postgres_password s3_secret_key
  chown 10001:10001 broker_password cache_password
  chown 999 redis_acl # the user of the image redis
else
  echo "Run this as root before the start, so that each file belongs to the user who reads it." >&2
fi
