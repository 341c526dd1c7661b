"""Who may ask: keys that open one environment to servers or to browsers."""
