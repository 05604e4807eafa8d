/* Threads of this process, for OpenMP, oneDNN (which uses the same runtime) and OpenBLAS. */
#ifndef BT_DEVICE_THREADS_H
#define BT_DEVICE_THREADS_H

int bt_threads_allowed(void); /* CPUs that this process may run on */
int bt_threads_online(void);  /* CPUs of the machine */
int bt_threads_get(void);
void bt_threads_set(int n);

#endif
