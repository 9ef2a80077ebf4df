#!/bin/sh
# The change of user and the first options as in the image `chrislusf/seaweedfs`.
set -eu
if [ "$(id -u)" -eq 0 ]; then
  chown -R seaweed:seaweed /data
  exec setpriv --reuid seaweed --regid seaweed --clear-groups "$0" "$@"
fi
shift
exec weed -logtostderr=true server -dir=/data -master.volumeSizeLimitMB=1024 "$@"
