# Lines of alignment over layers, one per ROI, one panel per model, with 95 % intervals and noise ceilings.
# Run by `braintune figures`, which sets: data (CSV), stem (output without extension), n_panel, panel[], n_roi, roi[],
# colour[], longest (ROI name, characters), layer_low, layer_high.
width = n_panel > 1 ? 18.3 : 8.9
key_rows = n_panel > 1 || longest <= 18 ? (n_roi + 2) / 2 : n_roi + 1
columns = n_panel > 3 ? 3 : n_panel
rows = (n_panel + columns - 1) / columns
head = 0.33 * key_rows + 0.2
height = head + rows * 5.2

set datafile separator comma
set datafile columnheaders
set encoding utf8
set border 3 lw 0.7
set xzeroaxis lt 1 lc rgb 0x000000 lw 0.7
set tics nomirror out scale 0.5
set xtics 1
if (layer_high - layer_low > (n_panel > 1 ? 8 : 14)) { set xtics 2 }
if (layer_high - layer_low > 30) { set xtics 4 }
margin = 0.04 * (layer_high - layer_low) + 0.15
set xrange [layer_low - margin:layer_high + margin]
stats data using "ci_high" nooutput name "high"
stats data using "r" nooutput name "r"
stats data using "ci_low" nooutput name "low"
top = high_max > r_max ? high_max : r_max
bottom = low_min < r_min ? low_min : r_min
set yrange [(bottom < 0 ? bottom - 0.03 * (top - bottom) : 0):top + 0.04 * (top - bottom)]

cap = 0.04 / width # cm of half a bar's end
pick(kind, p, i) = strcol("kind") eq kind && int(column("panel_index")) == p && int(column("roi_index")) == i

do for [format in "pdf png"] {
  if (format eq "pdf") {
    set terminal pdfcairo noenhanced font "DejaVu Sans,7" fontscale 0.75 linewidth 1.6 pointscale 0.7 dashlength 0.6 \
      size width cm, height cm
  } else {
    set terminal pngcairo noenhanced font "DejaVu Sans,7" fontscale 300.0/96 linewidth 300.0/96 pointscale 300.0/96 dashlength 1.2 \
      size int(width / 2.54 * 300), int(height / 2.54 * 300)
  }
  set output stem . "." . format
  set multiplot
  do for [p = 1:n_panel] {
    c = (p - 1) % columns
    r = (p - 1) / columns
    tall = 1.0 - head / height
    set lmargin at screen (1.25 + c * (width - 0.2) / columns) / width
    set rmargin at screen ((c + 1) * (width - 0.2) / columns) / width
    set tmargin at screen tall * (1.0 - r / (1.0 * rows)) - 0.6 / height
    set bmargin at screen tall * (1.0 - (r + 1) / (1.0 * rows)) + 0.95 / height
    set title panel[p] offset 0, -0.7
    set xlabel "layer" offset 0, 0.4
    set ylabel (c == 0 ? "alignment (Pearson r)" : "") offset 1, 0
    if (p == 1) {
      set key at screen 1.25 / width, screen 1.0 - 0.15 / height left top Left reverse vertical maxrows key_rows \
        samplen 2 spacing 1.05
    } else {
      unset key
    }
    plot for [i = 1:n_roi] data using (pick("ceiling", p, i) ? layer_low - margin : NaN):"r":(layer_high - layer_low + 2 * margin):(0) \
           with vectors nohead dt (6, 4) lw 0.8 lc rgb colour[i] notitle, \
         for [i = 1:n_roi] data using (pick("line", p, i) ? column("x") : NaN):"ci_low":(0):(column("ci_high") - column("ci_low")) \
           with vectors heads size screen cap, 90 lw 0.7 lc rgb colour[i] notitle, \
         for [i = 1:n_roi] data using (pick("line", p, i) ? column("x") : 1/0):(pick("line", p, i) ? column("r") : 1/0) \
           with linespoints pt 7 ps 0.22 lw 1.1 lc rgb colour[i] title roi[i], \
         NaN with lines dt (6, 4) lw 0.8 lc rgb 0x000000 title "noise ceiling"
  }
  unset multiplot
  unset output
}
