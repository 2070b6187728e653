#!/bin/sh
# The scenarios with amqp-tools (librabbitmq): sh amqp_tools_session.sh URL NAME SCENARIO...
# Runs the scenarios and prints `done NAME` or `failed NAME` for each. Every command is a connection of its own.
set -u
url=$1 name=$2
shift 2

check_equal() {
  [ "$1" = "$2" ] || { echo "found '$1', expected '$2'" >&2; exit 1; }
}

# A tool with where the broker is and, where the URL asks for TLS, whom to trust.
amqp() {
  tool=amqp-$1
  shift
  "$tool" --url="$url" ${INTEROP_CA:+--cacert="$INTEROP_CA"} "$@"
}

publish() {
  amqp publish --persistent --routing-key="$@"
}

get() {
  amqp get --queue="$1"
}

# Declares a queue with a name of its own.
make_queue() {
  queue=$name-$1
  amqp declare-queue --queue="$queue" --durable >/dev/null
}

# Deletes a queue, which must be empty.
drop_queue() {
  check_equal "$(amqp delete-queue --queue="$queue")" 0
}

declare_scenario() {
  queue=$name-declare
  check_equal "$(amqp declare-queue --queue="$queue" --durable)" "$queue"
  check_equal "$(amqp declare-queue --queue="$queue" --durable)" "$queue"
  case $(amqp declare-queue --queue= 2>/dev/null) in amq.gen-*) ;; *) echo 'no name' >&2; exit 1 ;; esac
  case $(amqp declare-queue --queue="$queue" 2>&1) in *406*) ;; *) echo 'no 406' >&2; exit 1 ;; esac
  case $(get "$queue-missing" 2>&1) in *404*) ;; *) echo 'no 404' >&2; exit 1 ;; esac
  drop_queue
}

consume_scenario() {
  make_queue consume
  for i in 1 2 3 4 5 6 7 8 9 10; do publish "$queue" --body="number $i
"; done
  consumed=$(amqp consume --queue="$queue" --count=10 --prefetch-count=3 cat)
  check_equal "$consumed" "$(for i in 1 2 3 4 5 6 7 8 9 10; do echo "number $i"; done)"
  drop_queue
}

get_scenario() {
  make_queue get
  publish "$queue" --body=fetched
  check_equal "$(get "$queue")" fetched
  if get "$queue" >/dev/null; then
    echo 'the queue was not empty' >&2
    exit 1
  fi
  drop_queue
}

large_scenario() {
  make_queue large
  large_body | publish "$queue"
  check_equal "$(get "$queue" | sha1sum)" "$(large_body | sha1sum)"
  large_body | publish "$queue"
  consumed=$(amqp consume --queue="$queue" --count=1 sha1sum)
  check_equal "$consumed" "$(large_body | sha1sum)"
  drop_queue
}

large_body() {
  yes abcdefghij | head -c 10485767
}

unicode_scenario() {
  make_queue 'unicode очередь 列'
  publish "$queue" --body='Grüße, 世界 🐇' --header='ключ 🗝: значение'
  check_equal "$(get "$queue")" 'Grüße, 世界 🐇'
  drop_queue
}

# Idle for more than three intervals, then a message comes.
heartbeat_scenario() {
  make_queue heartbeat
  { sleep 10.5; publish "$queue" --body=alive; } &
  consumed=$(amqp consume --heartbeat=3 --queue="$queue" --count=1 cat)
  check_equal "$consumed" alive
  wait
  drop_queue
}

for scenario in "$@"; do
  # In a subshell of its own, which ends with the first command that fails.
  (set -e; "${scenario}_scenario")
  if [ $? -eq 0 ]; then echo "done $scenario"; else echo "failed $scenario"; fi
done
