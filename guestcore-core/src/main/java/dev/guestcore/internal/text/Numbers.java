package dev.guestcore.internal.text;

import java.util.List;

/** Numbers for people. */
public final class Numbers {

    private Numbers() {}

    /** "0, 2-5, 7": a large machine has a thousand of them. */
    public static String runs(List<Integer> ascending) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < ascending.size();) {
            int run = 1;
            while (i + run < ascending.size() && ascending.get(i + run) == ascending.get(i) + run) {
                run++;
            }
            int first = ascending.get(i);
            text.append(text.isEmpty() ? "" : ", ").append(first);
            if (run > 1) {
                text.append(run > 2 ? "-" : ", ").append(first + run - 1);
            }
            i += run;
        }
        return text.toString();
    }
}
