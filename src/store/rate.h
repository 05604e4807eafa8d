/* How fast is this machine, for estimates: the peak of one core's float32 multiply-adds, measured in about 20 ms. */
#ifndef BT_STORE_RATE_H
#define BT_STORE_RATE_H

double bt_rate_measure(void); /* FLOP/s of one core */

#endif
