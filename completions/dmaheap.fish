# SPDX-License-Identifier: GPL-2.0-only
#
# Completion of dmaheap for fish.  What there is, the tool's own help says.

function __dmaheap_verb
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

function __dmaheap_verbs
    dmaheap --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

function __dmaheap_heaps
    dmaheap list -o NAME --raw --noheadings 2>/dev/null
end

function __dmaheap_options
    dmaheap (__dmaheap_verb) --help 2>/dev/null |
        string replace -rf '^  (?:-., |    )(--[a-z]+)(?: [A-Z]+)? +(.*)' '$1\t$2'
end

# Of columns with commas, the last one is completed.
function __dmaheap_columns
    set -l before (string match -r '^.*[,+]' -- (commandline -ct))
    dmaheap (__dmaheap_verb) --help 2>/dev/null |
        string replace -rf '^  [* ] ([A-Z][-A-Z0-9]*) +(.*)' "$before"'$1\t$2'
end

function __dmaheap_is
    contains -- (__dmaheap_verb) $argv
end

complete -c dmaheap -f
complete -c dmaheap -n 'not __dmaheap_verb' -a '(__dmaheap_verbs)'
complete -c dmaheap -n '__dmaheap_verb; and string match -q -- "-*" (commandline -ct)' -a '(__dmaheap_options)'
complete -c dmaheap -n __dmaheap_verb -s o -l output -x -a '(__dmaheap_columns)'
complete -c dmaheap -n '__dmaheap_is alloc buffers' -s H -l heap -x -a '(__dmaheap_heaps)'
complete -c dmaheap -n '__dmaheap_is alloc' -l need -l prefer -x -a 'cached uncached scattered contiguous protected below4g'
complete -c dmaheap -n '__dmaheap_is info bench pool' -a '(__dmaheap_heaps)'
complete -c dmaheap -n '__dmaheap_is pool' -a 'fill drain'
complete -c dmaheap -n '__dmaheap_is ps' -a '(dmaheap ps -o PID --raw --noheadings 2>/dev/null)'
complete -c dmaheap -n '__dmaheap_is who' -a '(dmaheap buffers -o INODE --raw --noheadings 2>/dev/null)'
