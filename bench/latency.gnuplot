# SPDX-License-Identifier: GPL-2.0-only
#
# Latency of allocation by size.
load bench."/style.gnuplot"

set title "Allocating a buffer: median, and 10th to 99th percentile" font ",15"
set xlabel "size of the buffer"
set ylabel "time until the program has it"
set logscale x 2
set xtics ("4 KiB" 4096, "16 KiB" 16384, "64 KiB" 65536, "256 KiB" 262144, "1 MiB" 1048576, \
	"4 MiB" 4194304, "16 MiB" 16777216, "64 MiB" 67108864, "256 MiB" 268435456)
set style fill transparent solid 0.15 noborder
set xrange [3500:160000000]
@names


plot for [n = 1:words(peers)] data.".dat" index n - 1 using 1:2:4 \
		with filledcurves linecolor rgb colour(n) notitle, \
	for [n = 1:words(peers)] data.".dat" index n - 1 using 1:3 \
		with linespoints linewidth 2.5 pointtype 7 pointsize 0.8 linecolor rgb colour(n)
