# Prints what a host has counted of its VFs, and how its last transactions ended. Reads only.

LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
exec 2>/dev/null

printf 'links '
ip -s -j link show || :
printf '\n'
cd "${SRIOVCTL_STATE:-/var/lib/sriovctl}/transactions" || exit 0
stat -c 'moment %Y %n' ./*/journal
grep -H -e '^# Stage: ' -e '^end' ./*/script ./*/journal
exit 0
