from sklearn.ensemble import RandomForestRegressor


def get_estimator() -> RandomForestRegressor:
    return RandomForestRegressor(n_estimators=5)  # draws from numpy's own generator
