/* Files that come with the program: figure scripts, presets, the Slurm scripts. */
#ifndef BT_BASE_INSTALLED_H
#define BT_BASE_INSTALLED_H

/* FOLDER/NAME of the source tree that the program was built from, or of a folder above the program, or of its
 * share/braintune; the environment's VARIABLE, where it is set, stands for FOLDER and is the only place looked at. A
 * new string; NULL when there is none. */
char *bt_installed_path(const char *folder, const char *name, const char *variable);

#endif
