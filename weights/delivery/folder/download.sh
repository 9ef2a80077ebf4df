#!/bin/sh
# Download @REPOSITORY@, checked file by file. Run it again to go on where it stopped.
@NOTICES@
#
# sh download.sh [-j JOBS] [-o FOLDER]
#
# Needs curl or wget, and sha256sum or shasum. If the link has ended, open it in a browser,
# ask for a new one and run:  WEIGHBRIDGE_LINK='NEW ADDRESS' sh download.sh

set -u

LINK=${WEIGHBRIDGE_LINK:-'@ADDRESS@'}
LINK=${LINK%stubbed.pt}
LINK=${LINK%\*}
COUNT=@COUNT@
TRIES=5
TAB=$(printf '\t')
JOBS=4
OUT=.

say() { printf '%s\n' "$*" >&2; }

usage() {
  say "usage: [WEIGHBRIDGE_LINK='NEW ADDRESS'] sh download.sh [-j JOBS] [-o FOLDER]"
  exit 2
}

while getopts j:o:h option; do
  case $option in
    j) JOBS=$OPTARG ;;
    o) OUT=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || usage
case $JOBS in '' | *[!0-9]* | 0) usage ;; esac

if command -v curl >/dev/null 2>&1; then
  GET=curl
elif command -v wget >/dev/null 2>&1; then
  GET=wget
else
  say "install curl or wget first"
  exit 2
fi
if command -v sha256sum >/dev/null 2>&1; then
  SUM=sha256sum
elif command -v shasum >/dev/null 2>&1; then
  SUM="shasum -a 256"
else
  say "install sha256sum or shasum first"
  exit 2
fi

mkdir -p "$OUT" || exit 2
STATE=$(mktemp -d) || exit 2
trap 'rm -rf "$STATE"' EXIT
WORKERS=''
# shellcheck disable=SC2086 # a list of process ids
trap 'kill $WORKERS 2>/dev/null; exit 130' INT TERM

size_of() {
  if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi
}

is_whole() { # file size sha256
  [ -f "$1" ] && [ "$(size_of "$1")" = "$2" ] && [ "$($SUM <"$1" | cut -c1-64)" = "$3" ]
}

# Append to a file from byte $have on; the headers go to "$note.head".
fetch() { # address file have note
  if [ "$GET" = curl ]; then
    curl --silent --location --max-redirs 3 --fail --connect-timeout 30 \
      --speed-limit 1 --speed-time 60 --dump-header "$4.head" \
      --continue-at "$3" --output "$2" "$1" 2>/dev/null
  else
    wget --quiet --server-response --tries=1 --timeout=60 --max-redirect=3 \
      --continue --output-document="$2" "$1" 2>"$4.head"
  fi
}

# Set status, sentence and pause from the headers of a response that brought no whole file, and
# cut a web page off the file again.
read_headers() { # file have note
  tr -d '\r' <"$3.head" | sed 's/^ *//' >"$3.lines"
  status=$(sed -n 's/^HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' "$3.lines" | tail -n 1)
  kind=$(sed -n 's/^[Cc]ontent-[Tt]ype: *//p' "$3.lines" | tail -n 1)
  sentence=$(sed -n 's/^[Xx]-[Ee]rror-[Mm]essage: *//p' "$3.lines" | tail -n 1)
  pause=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]*\).*/\1/p' "$3.lines" | tail -n 1)
  case $status$kind in
    2*text/html*)
      dd if=/dev/null of="$1" bs=1 seek="$2" 2>/dev/null
      sentence="a web page came instead of the file; is there a sign-in page on your network?"
      ;;
  esac
}

give_up() { # path why
  say "FAILED $1: $2"
  echo "$1" >>"$STATE/failed"
}

# One file: whole already, or fetched, continued, and checked. Stops everything on a refusal.
one_file() { # worker sha256 size name path
  worker=$1 sha256=$2 size=$3 name=$4 path=$5
  target=$OUT/$path
  part=$target.part
  if is_whole "$target" "$size" "$sha256"; then
    echo "$path" >>"$STATE/done"
    return
  fi
  [ -d "${target%/*}" ] || mkdir -p "${target%/*}" || { give_up "$path" "its folder cannot be made"; return; }
  try=1 status='' sentence='' pause='' note=$STATE/$worker
  while [ "$try" -le "$TRIES" ]; do
    [ -e "$STATE/refused" ] && return
    have=$(size_of "$part")
    if [ "$have" -gt "$size" ]; then rm -f "$part"; have=0; fi
    fetched=''
    if [ "$have" -lt "$size" ] || [ "$size" -eq 0 ]; then
      : >>"$part" || { give_up "$path" "it cannot be written"; return; }
      : >"$note.head"
      fetch "$LINK$name" "$part" "$have" "$note"
      fetched=yes
    fi
    if is_whole "$part" "$size" "$sha256"; then
      mv -f "$part" "$target" || { give_up "$path" "it cannot be moved into place"; return; }
      echo "$path" >>"$STATE/done"
      say "ok $(wc -l <"$STATE/done" | tr -d ' ')/$COUNT $path"
      return
    fi
    [ -z "$fetched" ] || read_headers "$part" "$have" "$note"
    if [ "$(size_of "$part")" -ge "$size" ]; then
      say "$path: the bytes are not the ones of the manifest; fetching it again"
      rm -f "$part"
    fi
    case $status in
      401 | 403 | 404 | 410)
        say "REFUSED ($status): ${sentence:-the link does not open this file}"
        : >"$STATE/refused"
        return
        ;;
      429 | 5??) sleep "${pause:-5}" ;;
      *) sleep "$try" ;;
    esac
    try=$((try + 1))
  done
  give_up "$path" "${sentence:-it did not come whole in $TRIES tries}"
}

work() { # worker: every JOBS-th line of the table
  number=0
  while IFS=$TAB read -r sha256 size name path; do
    number=$((number + 1))
    [ $((number % JOBS)) -eq "$1" ] && one_file "$1" "$sha256" "$size" "$name" "$path"
  done <"$STATE/table"
}

# The terms travel with the files.
@PAPERS@

cat >"$STATE/table" <<'END_OF_TABLE'
@TABLE@
END_OF_TABLE
: >"$STATE/done"
: >"$STATE/failed"

worker=0
while [ "$worker" -lt "$JOBS" ]; do
  work "$worker" &
  WORKERS="$WORKERS $!"
  worker=$((worker + 1))
done
wait

if [ -e "$STATE/refused" ]; then
  say "The link opens no more. What has arrived is kept: open the link in a browser, ask for a"
  say "new one, then run:  WEIGHBRIDGE_LINK='NEW ADDRESS' sh $0"
  exit 3
fi
arrived=$(sort -u "$STATE/done" | wc -l | tr -d ' ')
if [ -s "$STATE/failed" ] || [ "$arrived" -ne "$COUNT" ]; then
  say "$arrived of $COUNT files are here and checked; run the script again for the rest."
  exit 1
fi
say "All $COUNT files of @REPOSITORY@ are here, each with the SHA-256 of the manifest."
say "The terms under which you may use them stand beside them."
