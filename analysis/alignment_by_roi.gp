# Bars of alignment per ROI with single subjects, 95 % intervals and the noise ceiling.
# Run by `braintune figures`, which sets: data (CSV), stem (output without extension), n_roi, roi[], n_series, series[],
# colour[], shade[], bar_width, label_lines, wide (1: two columns of a journal), turned (1: ROI names at an angle).
width = wide ? 18.3 : 8.9
key_rows = wide ? (n_series + 2) / 2 : n_series + 1
height = 4.6 + 0.32 * key_rows + 0.32 * label_lines

set datafile separator comma
set datafile columnheaders
set encoding utf8
set boxwidth bar_width * 0.92
set border 2 lw 0.7
set xzeroaxis lt 1 lc rgb 0x000000 lw 0.7
set tics nomirror out scale 0.5
set xtics () scale 0
set bmargin label_lines + 0.8
do for [i = 1:n_roi] { set xtics add (roi[i] i - 1) }
if (turned) { set xtics rotate by 35 right }
set xrange [-0.6:n_roi - 0.4]
stats data using "ci_high" nooutput name "high"
stats data using "r" nooutput name "r"
stats data using "ci_low" nooutput name "low"
top = high_max > r_max ? high_max : r_max
bottom = low_min < r_min ? low_min : r_min
set yrange [(bottom < 0 ? bottom - 0.03 * (top - bottom) : 0):top + 0.04 * (top - bottom)]
set ylabel "alignment (Pearson r)" offset 1, 0
set key tmargin left Left reverse vertical maxrows key_rows samplen 1.4 spacing 1.05 width -1

cap = 0.05 / width # cm of half a bar's end
pick(kind, index) = strcol("kind") eq kind && (index == 0 || int(column("series_index")) == index)

do for [format in "pdf png"] {
  if (format eq "pdf") {
    set terminal pdfcairo noenhanced font "DejaVu Sans,7" fontscale 0.75 linewidth 1.6 pointscale 0.7 dashlength 0.6 \
      size width cm, height cm
  } else {
    set terminal pngcairo noenhanced font "DejaVu Sans,7" fontscale 300.0/96 linewidth 300.0/96 pointscale 300.0/96 dashlength 1.2 \
      size int(width / 2.54 * 300), int(height / 2.54 * 300)
  }
  set output stem . "." . format
  plot for [s = 1:n_series] data using (pick("bar", s) ? column("x") : NaN):"r" with boxes fs solid shade[s] noborder lc rgb colour[s] \
         title series[s], \
       data using (pick("bar", 0) ? column("x") : NaN):"ci_low":(0):(column("ci_high") - column("ci_low")) \
         with vectors heads size screen cap, 90 lw 0.8 lc rgb 0x000000 notitle, \
       data using (pick("subject", 0) ? column("x") : NaN):"r" with points pt 6 ps 0.22 lw 0.7 lc rgb 0x000000 notitle, \
       data using (pick("ceiling", 0) ? column("x") - 0.42 : NaN):"r":(0.84):(0) with vectors nohead dt (6, 4) lw 1 \
         lc rgb 0x000000 title "noise ceiling (mean cc_max)"
  unset output
}
