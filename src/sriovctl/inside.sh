# Commands inside several VMs at once, each with its own end; needs agent.sh, which sets $now.
# shellcheck disable=SC2154

# Prints one line: number, exit status, answer.
one_inside() { # NUMBER SECONDS WAIT_S VM ORDER
    agent_file=$folder/$1
    agent_clock
    [ "$3" -eq 0 ] || agent_await "$4" $((now + $3))
    agent_clock
    agent_exec "$4" $((now + $2)) "$5"
    printf '%d\t%d\t' "$1" $?
    tr '\000-\037\177' ' ' <"$agent_file"
    echo
}

# Prints a line for each VM.
all_inside() { # SECONDS WAIT_S [VM ORDER]…
    PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
    umask 077
    seconds=$1 wait_s=$2 number=0
    shift 2
    folder=$(mktemp -d) || exit 1
    trap 'rm -rf "$folder"' 0
    trap 'exit 1' HUP INT TERM
    while [ $# -gt 1 ]; do
        number=$((number + 1))
        one_inside "$number" "$seconds" "$wait_s" "$1" "$2" >"$folder/$number.line" &
        shift 2
    done
    wait
    cat "$folder"/*.line
}
