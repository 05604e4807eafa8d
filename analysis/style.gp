# What every figure shares: fonts, lines, tics. Loaded first by the other
# scripts. terminal_of(format) is the command for a terminal of width x height cm.
face = "Liberation Sans" # a system without it takes its own sans serif
set datafile separator comma
set datafile columnheaders
set encoding utf8
set border 3 lw 0.6
set xzeroaxis lt 1 lc rgb 0x000000 lw 0.6
set tics nomirror out scale 0.5
set style fill noborder

pdf_terminal = "set terminal pdfcairo noenhanced font '" . face . ",7' fontscale 0.75 linewidth 1.5 pointscale 0.7 dashlength 0.6 size "
png_terminal = "set terminal pngcairo noenhanced font '" . face . ",7' fontscale 300.0/96 linewidth 300.0/96 pointscale 300.0/96 dashlength 1.2 size "
terminal_of(format) = format eq "pdf" ? pdf_terminal . sprintf("%f cm, %f cm", width, height) \
                                      : png_terminal . sprintf("%d, %d", int(width / 2.54 * 300), int(height / 2.54 * 300))

r_label(metric) = metric eq "r" ? "alignment (Pearson r)" : metric eq "r_norm" ? "alignment (r / noise ceiling)" : "alignment (mean r / mean ceiling)"
opaque(colour, share) = int(255 * (1 - share)) * 0x1000000 + colour # a colour of which `share` is seen

outline(colour) = colour == 0xF0E442 ? 0x404040 : 0xff000000 # behind yellow lines, which white paper swallows
