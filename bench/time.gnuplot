# SPDX-License-Identifier: GPL-2.0-only
#
# Latency of each frame that was allocated at a steady pace.
load bench."/style.gnuplot"

set title "Allocating a frame of 3840 × 2160 (11.9 MiB) every 16 ms" font ",15"
set xlabel "number of the frame"
set ylabel "time until the program has it"
@names
# What is above this line comes too late for the next frame.
set arrow 1 from graph 0, first 16000 to graph 1, first 16000 nohead linecolor "#999999" dashtype 2
set label 2 "16 ms" at graph 0, first 16000 left offset 0.5,0.6 textcolor "#666666" font ",10"

plot for [n = 1:words(peers)] data.".dat" index n - 1 using 1:2 \
	with linespoints linewidth 1 pointtype 7 pointsize 0.45 linecolor rgb colour(n)
