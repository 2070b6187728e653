#!/bin/sh
# The interop session with amqp-tools (librabbitmq): amqp_tools_session.sh URL NAME
# The tools know neither confirms nor returns; each command is a connection of its own.
set -eu
url=$1 name=$2
messages=3

check_equal() {
  [ "$1" = "$2" ] || { echo "found '$1', expected '$2'" >&2; exit 1; }
}

check_equal "$(amqp-declare-queue --url="$url" --queue="$name" --durable)" "$name"
echo done declare

amqp-publish --url="$url" --routing-key="$name" --persistent --body='plain'
amqp-publish --url="$url" --routing-key="$name" --persistent --body='Grüße, 世界 🐇' \
  --content-type=text/plain --header='clé: значение'
head -c 1048576 /dev/zero | tr '\0' 'a' | amqp-publish --url="$url" --routing-key="$name" --persistent
echo done publish

consumed=$(amqp-consume --url="$url" --queue="$name" --count=$messages --prefetch-count=2 \
  sha1sum)
expected=$({
  printf plain | sha1sum
  printf 'Grüße, 世界 🐇' | sha1sum
  head -c 1048576 /dev/zero | tr '\0' 'a' | sha1sum
})
check_equal "$consumed" "$expected"
echo done consume

amqp-publish --url="$url" --routing-key="$name" --body='fetched'
check_equal "$(amqp-get --url="$url" --queue="$name")" 'fetched'
if amqp-get --url="$url" --queue="$name" >/dev/null; then
  echo 'the queue was not empty' >&2
  exit 1
fi
echo done get

check_equal "$(amqp-delete-queue --url="$url" --queue="$name")" 0
echo done close
