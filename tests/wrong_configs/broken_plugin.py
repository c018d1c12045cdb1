raise RuntimeError("the plugin is broken")
