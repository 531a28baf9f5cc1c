package dev.guestcore.internal.text;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** What somebody may have meant who mistyped a name. */
public final class Nearest {

    private static final int LONGEST = 40;

    private Nearest() {}

    /** {@code ; did you mean 'kdump'?} if a name is near enough, else nothing: to be put behind an error. */
    public static String hint(String typed, Collection<String> names) {
        return of(typed, names).map(name -> "; did you mean '" + name + "'?").orElse("");
    }

    /** The name that is nearest to what was typed, if it takes only few changes of letters, or begins with it. */
    public static Optional<String> of(String typed, Collection<String> names) {
        String wanted = typed.toLowerCase(Locale.ROOT);
        if (wanted.isEmpty() || wanted.length() > LONGEST) {
            return Optional.empty();
        }
        int most = Math.clamp(wanted.length() / 3, 1, 3);
        return names.stream()
                .filter(name -> distance(wanted, name) <= Math.min(most, name.length() - 1)
                        || wanted.length() > 1 && name.startsWith(wanted))
                .min(Comparator.<String>comparingInt(name -> distance(wanted, name)).thenComparing(name -> name));
    }

    /** Insertions, deletions, changes and swaps of neighbours that make one of the other. */
    private static int distance(String a, String b) {
        int[][] cost = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    cost[i][j] = i + j;
                    continue;
                }
                int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                int least = Math.min(cost[i - 1][j - 1] + change, Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
                boolean swapped = i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2)
                        && a.charAt(i - 2) == b.charAt(j - 1);
                cost[i][j] = swapped ? Math.min(least, cost[i - 2][j - 2] + 1) : least;
            }
        }
        return cost[a.length()][b.length()];
    }
}
