# A legend in one or more lines above the panels, from the left. Loaded behind style.gp, once to measure and once in each
# plot that is to hold it. The caller sets: width, left (cm), n_key, key_text[], key_kind[] (box, hatch, line, dashes,
# circle, words), key_colour[], key_shade[]; legend_draw: 0 sets head (cm, height of the legend), 1 puts labels and objects, 2
# takes them away.
if (legend_draw == 0) {
  array key_x[n_key]
  array key_line[n_key]
  legend_x = left
  legend_line = 0
  do for [k = 1:n_key] {
    legend_width = (key_kind[k] eq "words" ? 0.1 : 0.62) + 0.113 * strlen(key_text[k])
    if (k > 1 && legend_x + legend_width > width) { legend_x = left; legend_line = legend_line + 1 }
    key_x[k] = legend_x
    key_line[k] = legend_line
    legend_x = legend_x + legend_width + 0.3
  }
  head = 0.34 * (legend_line + 1) + 0.15
}
if (legend_draw == 1) {
  do for [k = 1:n_key] {
    x1 = key_x[k] / width
    x2 = (key_x[k] + 0.42) / width
    y = 1 - (0.25 + 0.34 * key_line[k]) / height
    set label 1000 + k key_text[k] at screen (key_kind[k] eq "words" ? x1 : x2 + 0.12 / width), screen y left
    if (key_kind[k] eq "box" || key_kind[k] eq "hatch") {
      if (key_kind[k] eq "box") {
        set object 1000 + k rectangle from screen x1, screen y - 0.09 / height to screen x2, screen y + 0.09 / height \
          fs solid key_shade[k] noborder fc rgb key_colour[k]
      } else {
        set object 1000 + k rectangle from screen x1, screen y - 0.09 / height to screen x2, screen y + 0.09 / height \
          fs pattern 4 border rgb 0x808080 fc rgb key_colour[k] lw 0.5
      }
    }
    if (key_kind[k] eq "line") { set arrow 1000 + k from screen x1, screen y to screen x2, screen y nohead lw 1.2 lc rgb key_colour[k] }
    if (key_kind[k] eq "dashes") { set arrow 1000 + k from screen x1, screen y to screen x2, screen y nohead dt (6, 4) lw 1 lc rgb key_colour[k] }
    if (key_kind[k] eq "circle") { set label 2000 + k "" at screen (x1 + x2) / 2, screen y point pt 6 ps 0.3 lw 0.7 lc rgb key_colour[k] }
  }
}
if (legend_draw == 2) {
  do for [k = 1:n_key] {
    unset label 1000 + k
    if (key_kind[k] eq "box" || key_kind[k] eq "hatch") { unset object 1000 + k }
    if (key_kind[k] eq "line" || key_kind[k] eq "dashes") { unset arrow 1000 + k }
    if (key_kind[k] eq "circle") { unset label 2000 + k }
  }
}
