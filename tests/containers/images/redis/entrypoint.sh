# The change of user as in the image `redis` of Docker Hub, which is built without protected mode.
set -eu
if [ "$(id -u)" -eq 0 ]; then
  chown -R redis /data
  exec setpriv --reuid redis --regid redis --clear-groups sh "$0" "$@"
fi
exec "$@" --protected-mode no
