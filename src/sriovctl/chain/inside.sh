# What is put inside VMs by their guest agents. Needs agent.sh, which sets $now.
# shellcheck disable=SC2154 # transaction.sh sets tx_dir

AGENT_TIMEOUT_S=${SRIOVCTL_AGENT_TIMEOUT_S:-30}

# Has a VM run a command, given as the agent's order. What it complained of is shown when it failed.
run_inside() { # VM ORDER
    agent_file=$tx_dir/agent
    agent_clock
    inside_by "$1" $((now + AGENT_TIMEOUT_S)) "$2"
}

# The same with its end given; $agent_file is the caller's.
inside_by() { # VM END ORDER
    if agent_exec "$@"; then
        grep -q '"exitcode":0[,}]' "$agent_file" && return 0
        sed -n 's/.*"err-data":"\([^"]*\)".*/\1/p' "$agent_file" | base64 -d | head -c 300 >&2
    else
        head -c 300 "$agent_file" >&2
    fi
    return 1
}
