# shellcheck shell=bash
# Requests to stop (SIGTERM, SIGUSR1: a scheduler's) and Ctrl-C. A shell that waits for a program in the foreground hears of
# neither before that program ends, so programs run in the background and are waited for.
running='' heard='' times_heard=0

# hear SIGNAL : remember it, and pass it on to the program that is running. Ctrl-C reaches that from the terminal.
hear() {
    heard=$1
    ((times_heard += 1))
    [[ -n $running ]] || exit "$(code_of_stop)"
    [[ $heard == INT ]] || kill -s "$heard" "$running" 2>/dev/null || true
}
for signal in TERM USR1 INT; do
    # shellcheck disable=SC2064  # the signal of this round
    trap "hear $signal" "$signal"
done

# code_of_stop : 130 after Ctrl-C; 75 after a request to stop, from which the same command goes on.
code_of_stop() {
    if [[ $heard == INT ]]; then echo 130; else echo 75; fi
}

# run_program COMMAND ARGUMENT... : run it; gives its exit code or, if it was told to stop and did, the one that says so.
run_program() {
    local code=0 now=0 before
    # What a shell starts in the background would ignore Ctrl-C.
    (
        trap - TERM USR1 INT
        exec "$@"
    ) &
    running=$!
    while :; do
        before=$times_heard now=0
        wait "$running" || now=$?
        ((now == 127)) || code=$now
        # A signal ends the waiting, not the program.
        ((times_heard != before)) || break
    done
    running=
    [[ -n $heard ]] || return "$code"
    case $heard:$code in
        INT:* | *:0 | *:75 | *:138 | *:143) return "$(code_of_stop)" ;; # 128 and the number of USR1, of TERM
    esac
    return "$code"
}
